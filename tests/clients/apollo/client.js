import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache } from "@apollo/client";
import { SetContextLink } from "@apollo/client/link/context";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { RetryLink } from "@apollo/client/link/retry";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { isMutationOperation, isSubscriptionOperation, relayStylePagination } from "@apollo/client/utilities";
import { createClient } from "graphql-ws";
import { tap } from "rxjs";

// A list is told apart by everything but the page.
const questions = relayStylePagination(["where", "orderBy", "search", "archived", "asOf"]);
const lists = relayStylePagination(["where", "orderBy"]);
const part = { merge: true };

export const cache = () =>
  new InMemoryCache({
    typePolicies: {
      Query: {
        fields: {
          customers: questions,
          touchpoints: questions,
          purchases: questions,
          loyaltyAccounts: questions,
          campaigns: questions,
        },
      },
      Customer: {
        fields: {
          touchpoints: lists,
          purchases: lists,
          loyaltyAccounts: lists,
          consentHistory: lists,
          campaignMemberships: lists,
        },
      },
      Segment: { fields: { customers: lists } },
      Campaign: { fields: { members: lists } },
      LoyaltyProgram: { fields: { accounts: lists } },
      LoyaltyAccount: { fields: { entries: lists } },
      // Without an id they are parts of what stands around them.
      CustomerFacts: part,
      CustomerValue: part,
      Lifecycle: part,
      LoyaltyLiability: part,
      PerceivedValue: part,
      PointsBalance: part,
      Relationship: part,
      Rfm: part,
      Viewer: part,
    },
  });

// Set before it is sent, and so the same whenever it is sent again.
const oneEffect = new SetContextLink(({ headers }, { query }) =>
  isMutationOperation(query) ? { headers: { "idempotency-key": crypto.randomUUID(), ...headers } } : {},
);

// No answer, one from a proxy, or one that says when to come back. All that come back together are spread out.
const again = new RetryLink({
  attempts: { max: 6 },
  delay: (count, operation) => {
    const seconds = operation.getContext().response?.headers.get("retry-after");
    return (seconds ? 1000 * seconds : 100 * 2 ** count) * (1 + Math.random());
  },
});
const throttled = new ApolloLink((operation, forward) =>
  forward(operation).pipe(
    tap((result) => {
      if (result.errors?.[0].extensions?.code === "THROTTLED") throw new CombinedGraphQLErrors(result);
    }),
  ),
);

// A document that the server knows already goes as its hash, and a query then by GET.
const sha256 = async (text) => {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
};
const persisted = new PersistedQueryLink({ sha256, useGETForHashedQueries: true });

export function client(url, key) {
  const authorization = `Bearer ${key}`;
  const http = new HttpLink({ uri: url, headers: { authorization } });
  const socket = createClient({ url: url.replace(/^http/, "ws"), connectionParams: { authorization } });
  return new ApolloClient({
    cache: cache(),
    link: ApolloLink.split(
      ({ query }) => isSubscriptionOperation(query),
      new GraphQLWsLink(socket),
      ApolloLink.from([oneEffect, again, throttled, persisted, http]),
    ),
  });
}
