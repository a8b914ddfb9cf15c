'use client';
import {useState} from 'react';
import {message} from './message';

export default function Page() {
  const [count, setCount] = useState(0);
  return (
    <main>
      <h1>{message}</h1>
      <button onClick={() => setCount(count + 1)}>{`clicked ${count}`}</button>
    </main>
  );
}
