// Workers, senders, schedules and refused webhooks.

import { el } from "./dom.js";

const soon = (title) => () => ({ title, load: async () => ({}), draw: () => el("p", { class: "empty" }, title) });

export const workersView = soon("Workers");
export const sendersView = soon("Senders");
export const schedulesView = soon("Schedules");
export const webhooksView = soon("Webhooks");
