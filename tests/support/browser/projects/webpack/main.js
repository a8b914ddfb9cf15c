let {message} = require('./message.js');

const show = () => document.querySelector('h1').textContent = message;
show();
module.hot.accept('./message.js', () => {
  message = require('./message.js').message;
  show();
});
