import { createClient } from "graphql-sse";

export const client = (url, key) =>
  createClient({
    url,
    // Each operation a connection of its own: the server has no other mode.
    singleConnection: false,
    headers: { authorization: `Bearer ${key}` },
    // It tries again whatever the status was, 401 too.
    retryAttempts: 5,
  });

export const changes = (events, ids) =>
  events.iterate({
    query: `subscription Changed($ids: [ID!]) {
      customerChanged(ids: $ids) { event occurredAt customer { id name lifecycle { stage } } }
    }`,
    variables: { ids },
  });
