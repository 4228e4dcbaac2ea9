import { commitMutation, graphql, requestSubscription } from "relay-runtime";

/** The payload, with its userErrors. */
export const rename = (environment, id, name) =>
  new Promise((onCompleted, onError) =>
    commitMutation(environment, {
      mutation: graphql`
        mutation changesRenameMutation($input: CustomerUpdateInput!) {
          customerUpdate(input: $input) {
            customer { id name }
            userErrors { field code message }
          }
        }
      `,
      variables: { input: { customer: { id }, set: { name } } },
      onCompleted: ({ customerUpdate }) => onCompleted(customerUpdate),
      onError,
    }),
  );

/** What is shown of these customers follows what happens to them, until it is disposed of. */
export const follow = (environment, ids, onNext) =>
  requestSubscription(environment, {
    subscription: graphql`
      subscription changesFollowSubscription($ids: [ID!]) {
        customerChanged(ids: $ids) { event customer { ...Customers_row ...Customers_one } }
      }
    `,
    variables: { ids },
    onNext,
  });
