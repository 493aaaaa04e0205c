// What changes, as the emulator tells it. The browser itself connects again and says where it was.

/**
 * Listen to the feed. `listeners` are functions by kind of change (reset, message, refusal, webhook, conditions);
 * `onState` gets "live" or "away".
 */
export function listen(listeners, onState) {
  const source = new EventSource("/_emulator/events");
  source.addEventListener("open", () => onState("live"));
  source.addEventListener("error", () => {
    onState("away");
    // A browser gives up for good when the response is an error, as from a server that is just starting.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(listeners, onState), 2000);
  });
  for (const [kind, listener] of Object.entries(listeners)) {
    source.addEventListener(kind, (event) => listener(JSON.parse(event.data)));
  }
  addEventListener("pagehide", () => source.close(), { once: true });
}
