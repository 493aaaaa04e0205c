// Much at once is handled as one.

const WAIT = 40;
const MOST = 200;

/**
 * A function that takes items one by one and hands them to `handle` together, a moment later: of each key the newest,
 * in the order of their first coming. When there are more than one cares to look at, it gets null: look at everything.
 */
export function gathered(handle) {
  let waiting = new Map();
  let overflown = false;
  let timer = 0;
  const hand = () => {
    const items = overflown ? null : [...waiting.values()];
    [waiting, overflown, timer] = [new Map(), false, 0];
    handle(items);
  };
  return (item) => {
    if (waiting.size < MOST || waiting.has(item.key)) waiting.set(item.key, item);
    else overflown = true;
    timer ||= setTimeout(hand, WAIT);
  };
}
