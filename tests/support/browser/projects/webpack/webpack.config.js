// https://webpack.js.org/configuration/dev-server/#websocketurl: where the browser, which does not
// see this server itself, finds its WebSocket.
module.exports = (env) => ({
  mode: 'development',
  cache: false,
  entry: './main.js',
  devServer: {
    hot: true,
    static: 'public',
    client: {webSocketURL: `auto://0.0.0.0:0${env.prefix || ''}/ws`},
  },
});
