import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { getOperationAST, parse } from 'graphql';
import { createClient } from 'graphql-sse';

const url = '/graphql';
const answered = createGraphiQLFetcher({ url, enableIncrementalDelivery: false });

export function fetcher(asked, { headers } = {}) {
  const operation = operationOf(asked);
  // For a moment after a change of tabs GraphiQL still names the operation of the last one.
  const named = operation ? { ...asked, operationName: operation.name?.value } : asked;
  return operation?.operation === 'subscription' ? told(named, headers) : answered(named, { headers });
}

// That which is named, or the only one; null: the server is to say what is wrong.
function operationOf({ query, operationName }) {
  try {
    const document = parse(query);
    return getOperationAST(document, operationName) ?? getOperationAST(document);
  } catch {
    return null;
  }
}

// Over server-sent events, not a WebSocket: these carry the headers as they stand in the editor, and a refusal comes with
// its sentence, not with a code alone.
const told = (asked, headers) => ({
  subscribe(sink) {
    const unsubscribe = createClient({ url, headers, retryAttempts: 0 }).subscribe(asked, {
      next: (result) => sink.next(result),
      complete: () => sink.complete(),
      async error(failure) {
        // What was refused before it began is an ordinary answer.
        if (!failure.response) return sink.error(failure);
        sink.next(await failure.response.json());
        sink.complete();
      },
    });
    return { unsubscribe };
  },
});
