"""What a hostile page tries, as JavaScript for Page.evaluate(): each takes a URL and says how it
went."""

RUN = """(url) => new Promise((resolve) => {
  const script = document.createElement('script');
  script.src = url;
  script.onload = () => resolve('loaded');
  script.onerror = () => resolve('refused');
  document.body.append(script);
})"""
CONNECT = """(url) => new Promise((resolve) => {
  const socket = new WebSocket(url.replace('http', 'ws'));
  socket.onopen = () => resolve('open');
  socket.onerror = () => resolve('refused');
})"""
