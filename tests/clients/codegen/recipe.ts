import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql";
import { graphql } from "./__generated__/gql.ts";

export const Best = graphql(`
  query Best($where: CustomerWhere, $after: String) {
    customers(first: 10, after: $after, where: $where, orderBy: [{ field: VALUE_SCORE, direction: DESC }]) {
      nodes {
        id
        name
        createdAt
        birthday
        attributes
        lifecycle {
          stage
        }
        facts {
          net {
            amount
            currency
          }
        }
        loyaltyAccounts {
          nodes {
            balance {
              available
            }
          }
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const Create = graphql(`
  mutation Create($input: CustomerCreateInput!) {
    customerCreate(input: $input) {
      customer {
        id
      }
      userErrors {
        field
        code
        message
      }
    }
  }
`);

/** The data of an operation, as its document says it is. */
export async function ask<Data, Variables>(
  url: string,
  key: string,
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ query: print(document), variables }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(`${errors[0].extensions.code}: ${errors[0].message}`);
  return data;
}
