// A page that says what came back over a WebSocket, whose URL is relative to the page's own.
const http = require('http');
const {WebSocketServer} = require('ws');

const page = `<!DOCTYPE html>
<html><head><title>page</title></head>
<body><h1>waiting</h1>
<script>
const socket = new WebSocket('echo', 'echo-protocol');
socket.onopen = () => socket.send('hello');
socket.onmessage = ({data}) => document.querySelector('h1').textContent =
    data + ' with ' + socket.protocol;
</script></body></html>`;

const server = http.createServer((_, answer) => {
  answer.setHeader('Content-Type', 'text/html');
  answer.end(page);
});
const sockets = new WebSocketServer({server, path: '/echo', handleProtocols: ([first]) => first});
sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`echo of ${data}`)));
server.listen(Number(process.argv[2]), '127.0.0.1');
