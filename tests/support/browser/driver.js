// driver.js: a browser by remote control, for browser.py.
// One JSON request a line on stdin, one JSON answer a line on stdout, in the order of the requests:
//   {"do":"open","options":{...}}                  a page with a profile of its own: its number
//   {"do":"call","page":0,"method":"goto","args":["http://..."]}   any method of playwright's Page
//   {"do":"socket","page":0,"contains":"/ws","received":1,"timeout":9000}   waits for a WebSocket
//   {"do":"cookies","page":0}                      all cookies of its profile, HttpOnly ones too
//   {"do":"seen","page":0}                         what went over its network, and its complaints
// An answer is {"value":...} or {"error":"..."}. Chromium ends with stdin.
'use strict';

const readline = require('readline');
const {chromium} = require(process.env.HPC_PLAYWRIGHT);

// A page, and what the developer tools would show of it.
class Watched {
  constructor(page) {
    this.page = page;
    // By id, which a redirect keeps. Its answer may be told of before the request itself: they come
    // from two processes of the browser.
    this.requests = new Map();
    this.answers = [];
    this.failures = [];
    this.complaints = [];
    this.sockets = new Map();
    this.changed = () => {};
    page.on('requestfailed', (request) => this.failures.push(
        {url: request.url(), why: (request.failure() || {}).errorText}));
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (message) => {
      if (message.type() !== 'error') return;
      this.complaints.push(`${message.text()} ${message.location().url}`);
    });
  }

  // The protocol's own events: unlike playwright's they tell whether a handshake succeeded, and of
  // answers that the browser hides from the page.
  async watch() {
    const tools = await this.page.context().newCDPSession(this.page);
    const requests = (id) => {
      if (!this.requests.has(id)) this.requests.set(id, {urls: [], answers: 0});
      return this.requests.get(id);
    };
    tools.on('Network.requestWillBeSent', ({requestId, request}) => requests(requestId).urls.push(
        request.url));
    tools.on('Network.responseReceivedExtraInfo', ({requestId, statusCode}) => this.answers.push(
        {requestId, number: requests(requestId).answers++, status: statusCode}));
    const on = (event, change) => tools.on(`Network.webSocket${event}`, (about) => {
      const socket = this.sockets.get(about.requestId);
      if (socket) change(socket, about);
      this.changed();
    });
    tools.on('Network.webSocketCreated', ({requestId, url}) => this.sockets.set(
        requestId, {url, status: 0, received: [], sent: 0, closed: false}));
    on('HandshakeResponseReceived', (socket, {response}) => socket.status = response.status);
    on('FrameReceived', (socket, {response}) => socket.received.push(
        response.payloadData.slice(0, 200)));
    on('FrameSent', (socket) => socket.sent += 1);
    on('FrameError', (socket, {errorMessage}) => socket.error = errorMessage);
    on('Closed', (socket) => socket.closed = true);
    await tools.send('Network.enable');
  }

  // An open WebSocket whose URL contains `contains` and that has received so many messages.
  socket({contains, received, timeout}) {
    const find = () => [...this.sockets.values()].find((socket) => !socket.closed &&
        socket.status === 101 && socket.url.includes(contains) &&
        socket.received.length >= received);
    return new Promise((resolve, reject) => {
      const clock = setTimeout(() => reject(new Error(
          `no such WebSocket: ${JSON.stringify([...this.sockets.values()])}`)), timeout);
      this.changed = () => {
        const found = find();
        if (!found) return;
        clearTimeout(clock);
        this.changed = () => {};
        resolve(found);
      };
      this.changed();
    });
  }

  seen() {
    const {failures, complaints} = this;
    const answers = this.answers.map(({requestId, number, status}) => (
        {url: this.requests.get(requestId).urls[number] || '', status}));
    return {answers, failures, complaints, sockets: [...this.sockets.values()]};
  }

  cookies() {
    return this.page.context().cookies();
  }

  async call({method, args}) {
    const path = method.split('.');
    const name = path.pop();
    const target = path.reduce((object, part) => object[part], this.page);
    const value = await target[name](...args);
    // Handles of playwright have no JSON; of a navigation's answer the status is wanted.
    if (value && typeof value.status === 'function') return value.status();
    return value && value.constructor && value.constructor.name.endsWith('Handle') ? null : value;
  }
}

async function main() {
  // Without Chromium's sandbox, which containers forbid: it sees only pages of these tests.
  const browser = await chromium.launch({
    executablePath: process.env.HPC_CHROMIUM, args: ['--no-sandbox', '--disable-gpu']
  });
  const pages = [];
  const perform = async (request) => {
    if (request.do !== 'open') return pages[request.page][request.do](request);
    const context = await browser.newContext(request.options);
    const watched = new Watched(await context.newPage());
    await watched.watch();
    return pages.push(watched) - 1;
  };
  console.log(JSON.stringify({value: browser.version()}));
  for await (const line of readline.createInterface({input: process.stdin})) {
    let answer;
    try {
      answer = {value: await perform(JSON.parse(line))};
    } catch (error) {
      answer = {error: String(error.message || error)};
    }
    console.log(JSON.stringify(answer));
  }
  await browser.close();
}

main().catch((error) => {
  console.log(JSON.stringify({error: String(error.message || error)}));
  process.exitCode = 1;
});
