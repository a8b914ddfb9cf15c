// ws_app.js: a WebSocket app on a free port, which it prints. It speaks the subprotocols "two" and
// "one", in this order of liking, and permessage-deflate; it sends back what it gets. /refuse is
// refused, /close/N closes with that code.
'use strict';
const http = require('http');
const {WebSocketServer} = require('ws');

const server = http.createServer((request, answer) => answer.end('plain'));
const sockets = new WebSocketServer({
  noServer: true,
  perMessageDeflate: {threshold: 0},
  handleProtocols: (offered) => ['two', 'one'].find((name) => offered.has(name)) || false,
});
server.on('upgrade', (request, socket, head) => {
  if (request.url === '/refuse') {
    return socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
  }
  sockets.handleUpgrade(request, socket, head, (ws) => {
    const code = /^\/close\/(\d+)$/.exec(request.url);
    if (code) return ws.close(Number(code[1]), 'as asked');
    ws.on('message', (data, isBinary) => ws.send(data, {binary: isBinary}));
    ws.on('close', (closed) => { if (closed === 4002) console.log('closed 4002'); });
    ws.send('welcome');
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
