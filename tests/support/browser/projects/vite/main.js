import './style.css';
import {message} from './message.js';

const show = (text) => document.querySelector('h1').textContent = text;
show(message);
import.meta.hot.accept('./message.js', (module) => show(module.message));
