// ws_client.js BASE: the npm package ws against BASE (ws://127.0.0.1:PORT/port/N/), where ws_app.js
// listens. Exit code 0, or the first thing that is not as it should be.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const {once} = require('events');
const WebSocket = require('ws');

const base = process.argv[2];
const open = (path, ...rest) => new WebSocket(new URL(path, base), ...rest);

async function welcome(ws) {
  const [text] = await once(ws, 'message');
  assert.strictEqual(text.toString(), 'welcome');
  return ws;
}

async function choosesSubprotocol() {
  const ws = await welcome(open('', ['one', 'two']));
  assert.strictEqual(ws.protocol, 'two');
  ws.close();
}

async function compresses() {
  const ws = await welcome(open(''));
  assert.match(ws.extensions, /permessage-deflate/);
  const text = 'again and again '.repeat(10000);
  ws.send(text);
  const [back, isBinary] = await once(ws, 'message');
  assert.strictEqual(isBinary, false);
  assert.strictEqual(back.toString(), text);
  ws.close();
}

async function largeFrames() {
  const ws = await welcome(open('', {perMessageDeflate: false}));
  for (const size of [0, 1, 125, 126, 65535, 65536, 1024 * 1024]) {
    const data = crypto.randomBytes(size);
    ws.send(data);
    const [back, isBinary] = await once(ws, 'message');
    assert.ok(isBinary && data.equals(back), `${size} bytes`);
  }
  ws.close();
}

async function manyFramesBothWays() {
  const ws = await welcome(open('', {perMessageDeflate: false}));
  const data = crypto.randomBytes(64 * 1024);
  let back = 0;
  const all = new Promise((resolve) => ws.on('message', (part) => {
    assert.ok(data.equals(part));
    if (++back === 200) resolve();
  }));
  for (let i = 0; i < 200; ++i) ws.send(data);
  await all;
  ws.close();
}

async function pings() {
  const ws = await welcome(open(''));
  ws.ping('are you there');
  const [data] = await once(ws, 'pong');
  assert.strictEqual(data.toString(), 'are you there');
  ws.close();
}

async function closeCodes() {
  for (const code of [1000, 1011, 4001]) {
    const [got, why] = await once(open(`close/${code}`), 'close');
    assert.strictEqual(got, code);
    assert.strictEqual(why.toString(), 'as asked');
  }
  const ws = await welcome(open(''));
  ws.close(4002, 'ours');
  const [got] = await once(ws, 'close');
  assert.strictEqual(got, 4002);
}

async function refusals() {
  const ws = open('refuse');
  ws.on('error', () => {});
  const [, answer] = await once(ws, 'unexpected-response');
  assert.strictEqual(answer.statusCode, 403);
}

async function twentyAtOnce() {
  const all = await Promise.all(Array.from({length: 20}, () => welcome(open(''))));
  await Promise.all(all.map(async (ws, i) => {
    ws.send(`${i}`);
    const [text] = await once(ws, 'message');
    assert.strictEqual(text.toString(), `${i}`);
    ws.close();
  }));
}

(async () => {
  for (const test of [choosesSubprotocol, compresses, largeFrames, manyFramesBothWays, pings,
                      closeCodes, refusals, twentyAtOnce]) {
    await test();
    console.log(test.name);
  }
  process.exit(0);
})().catch((error) => { console.error(error); process.exit(1); });
