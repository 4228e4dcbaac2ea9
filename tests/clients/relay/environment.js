import { createClient } from "graphql-ws";
import { Environment, Network, Observable, RecordSource, Store } from "relay-runtime";

/** Retries what got no answer, and what is throttled; a mutation is the same one each time, by its key. */
const asking = (url, authorization) => async ({ text, operationKind }, variables) => {
  const headers = { "content-type": "application/json", accept: "application/graphql-response+json", authorization };
  if (operationKind === "mutation") headers["idempotency-key"] = crypto.randomUUID();
  const request = { method: "POST", headers, body: JSON.stringify({ query: text, variables }) };
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(url, request).catch((failure) => failure);
    const passes = response instanceof Error || response.status === 429 || response.status >= 500;
    if (passes && attempt < 6) {
      const seconds = Number(response.headers?.get("retry-after")) || 0.1 * 2 ** attempt;
      await new Promise((resolve) => setTimeout(resolve, 1000 * seconds * (1 + Math.random())));
    } else if (response instanceof Error) throw response;
    else return response.json();
  }
};

const hearing = (socket) => ({ text: query, name: operationName }, variables) =>
  Observable.create((sink) => socket.subscribe({ query, operationName, variables }, sink));

export function environment(url, key) {
  const authorization = `Bearer ${key}`;
  const socket = createClient({ url: url.replace(/^http/, "ws"), connectionParams: { authorization } });
  return new Environment({
    network: Network.create(asking(url, authorization), hearing(socket)),
    store: new Store(new RecordSource()),
  });
}
