import { createClient } from "graphql-ws";

export const client = (url, key) =>
  createClient({
    url: url.replace(/^http/, "ws"),
    // A browser cannot set headers of a WebSocket.
    connectionParams: { authorization: `Bearer ${key}` },
    retryAttempts: 10,
    // 4403: there is no such key, or none any more. Whatever else closes a socket passes.
    shouldRetry: (event) => event?.code !== 4403,
  });

/** Reads what it needs, then what changes: hints come at most once, so after each connection it reads again. */
export function watch(socket, ids, read, told) {
  const query = `subscription Changed($ids: [ID!]) {
    customerChanged(ids: $ids) { event occurredAt customer { id name lifecycle { stage } } }
  }`;
  const off = socket.on("connected", () => void read());
  const stop = socket.subscribe({ query, variables: { ids } }, { next: told, error: told, complete: () => {} });
  return () => (off(), stop());
}
