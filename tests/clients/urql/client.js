import { cacheExchange, Client, fetchExchange, mapExchange } from "@urql/core";

// Made once for each mutation: sent again by hand or by @urql/exchange-retry, it has one effect.
const oneEffect = mapExchange({
  onOperation(operation) {
    if (operation.kind !== "mutation") return;
    const { fetchOptions = {} } = operation.context;
    const given = typeof fetchOptions === "function" ? fetchOptions() : fetchOptions;
    const headers = { "idempotency-key": crypto.randomUUID(), ...given.headers };
    operation.context.fetchOptions = { ...given, headers };
  },
});

export const client = (url, key) =>
  new Client({
    url,
    // A query whose URL is short goes by GET, a mutation by POST always.
    preferGetMethod: "within-url-limit",
    // Subscriptions are server-sent events at the same URL; there is no second client.
    fetchSubscriptions: true,
    fetchOptions: { headers: { authorization: `Bearer ${key}` } },
    exchanges: [cacheExchange, oneEffect, fetchExchange],
  });
