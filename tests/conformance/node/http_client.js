// http_client.js BASE: Node's http against BASE (http://127.0.0.1:PORT/port/N/), where the app of
// clients_test.py listens. Exit code 0, or the first thing that is not as it should be.
'use strict';
const assert = require('assert');
const http = require('http');

const base = process.argv[2];

function send(agent, path, options = {}, body = null) {
  return new Promise((resolve, reject) => {
    const request = http.request(new URL(path, base), {agent, ...options}, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('error', reject);
      answer.on('end', () => resolve({
        status: answer.statusCode, fields: answer.headers, body: Buffer.concat(parts),
        reused: request.reusedSocket, complete: answer.complete,
      }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function keepsOneConnection() {
  const agent = new http.Agent({keepAlive: true, maxSockets: 1});
  for (let i = 0; i < 20; ++i) {
    const answer = await send(agent, `echo?${i}`, {method: i % 2 ? 'POST' : 'GET'}, i % 2 ? 'x' : null);
    assert.strictEqual(answer.status, 200);
    assert.strictEqual(answer.reused, i > 0, `request ${i} over the same connection`);
  }
  agent.destroy();
}

async function manyAtOnce() {
  const agent = new http.Agent({keepAlive: true});
  const body = Buffer.alloc(100000, 'y');
  const all = [];
  for (let i = 0; i < 20; ++i) all.push(send(agent, 'digest', {method: 'PUT'}, body));
  for (const answer of await Promise.all(all)) {
    assert.strictEqual(answer.status, 200, `${answer.status} ${answer.body}`);
    assert.strictEqual(JSON.parse(answer.body).bytes, body.length);
  }
  agent.destroy();
}

function uploadsInChunks() {
  return new Promise((resolve, reject) => {
    const request = http.request(new URL('digest', base), {method: 'PUT'}, (answer) => {
      let text = '';
      answer.on('data', (part) => { text += part; });
      answer.on('end', () => {
        assert.strictEqual(JSON.parse(text).bytes, 30000);
        resolve();
      });
    });
    request.on('error', reject);
    for (let i = 0; i < 3; ++i) request.write(Buffer.alloc(10000, 'z'));
    request.end();
  });
}

function waitsForContinue() {
  return new Promise((resolve, reject) => {
    let continued = false;
    const request = http.request(
        new URL('digest', base),
        {method: 'PUT', headers: {Expect: '100-continue', 'Content-Length': 5}}, (answer) => {
          assert.ok(continued);
          answer.resume();
          answer.on('end', resolve);
        });
    request.on('continue', () => { continued = true; request.end('hello'); });
    request.on('error', reject);
    request.flushHeaders();
  });
}

function seesEarlyHints() {
  return new Promise((resolve, reject) => {
    let hints = 0;
    const request = http.get(new URL('hints', base), (answer) => {
      assert.strictEqual(hints, 1);
      answer.resume();
      answer.on('end', resolve);
    });
    request.on('information', (info) => { hints += info.statusCode === 103 ? 1 : 0; });
    request.on('error', reject);
  });
}

// An answer that breaks off must be an error here, never a short success.
async function noticesHalfAnswers() {
  for (const path of ['half-length', 'half-chunks']) {
    await assert.rejects(send(undefined, path), /aborted|ECONNRESET|socket hang up/, path);
  }
}

// The app is told at once: its /gone answers when the other connection has ended.
async function stopsInTheMiddle() {
  await new Promise((resolve, reject) => {
    const request = http.get(new URL('endless', base), (answer) => {
      answer.once('data', () => { request.destroy(); resolve(); });
      answer.on('error', () => {});
    });
    request.on('error', (error) => { if (!request.destroyed) reject(error); });
  });
  assert.strictEqual((await send(undefined, 'gone')).body.toString(), 'gone');
  await new Promise((resolve) => {
    const request = http.request(new URL('swallow', base), {method: 'PUT'});
    request.on('error', () => {});
    request.on('close', resolve);
    request.write(Buffer.alloc(50000));
    setImmediate(() => request.destroy());
  });
  assert.strictEqual((await send(undefined, 'echo')).status, 200);
}

(async () => {
  for (const test of [keepsOneConnection, manyAtOnce, uploadsInChunks, waitsForContinue,
                      seesEarlyHints, noticesHalfAnswers, stopsInTheMiddle]) {
    await test();
    console.log(test.name);
  }
})().catch((error) => { console.error(error); process.exit(1); });
