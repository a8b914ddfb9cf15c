// The modules are shared and not writable, so what vite writes goes beside them.
export default {cacheDir: '.vite'};
