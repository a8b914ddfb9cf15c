// A page that says what came back over Socket.IO, at its default path /socket.io/.
const http = require('http');
const {Server} = require('socket.io');

const page = `<!DOCTYPE html>
<html><head><title>page</title></head>
<body><h1>waiting</h1>
<script src="/socket.io/socket.io.js"></script>
<script>
const socket = io();
const show = (text) => document.querySelector('h1').textContent = text;
socket.on('reply', (text) => show(text + ' over ' + socket.io.engine.transport.name));
socket.on('connect', () => socket.emit('ask', 'the'));
socket.io.engine.on('upgrade', () => socket.emit('ask', 'the'));
</script></body></html>`;

const server = http.createServer((_, answer) => {
  answer.setHeader('Content-Type', 'text/html');
  answer.end(page);
});
new Server(server).on('connection', (socket) => socket.on('ask', (text) => socket.emit(
    'reply', text + ' reply')));
server.listen(Number(process.argv[2]), '127.0.0.1');
