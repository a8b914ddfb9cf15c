// The two lines that https://webpack.js.org/configuration/dev-server/#websocketurl names for a
// server behind a proxy: where the browser finds the WebSocket.
module.exports = (env) => ({
  mode: 'development',
  cache: false,
  entry: './main.js',
  devServer: {
    hot: true,
    static: 'public',
    client: {webSocketURL: `auto://0.0.0.0:0${env.prefix}/ws`},
  },
});
