import { graphql, useFragment, useLazyLoadQuery, usePaginationFragment, useRefetchableFragment } from "react-relay";

/** Customers of a city, ten more at each call of `loadNext`. */
export function Customers({ city }) {
  const query = useLazyLoadQuery(
    graphql`
      query CustomersQuery($where: CustomerWhere) {
        ...Customers_list @arguments(where: $where)
      }
    `,
    { where: { city: { eq: city } } },
  );
  const { data, hasNext, loadNext } = usePaginationFragment(
    graphql`
      fragment Customers_list on Query
      @argumentDefinitions(
        where: { type: "CustomerWhere" }
        first: { type: "Int", defaultValue: 10 }
        after: { type: "String" }
      )
      @refetchable(queryName: "CustomersPageQuery") {
        customers(where: $where, first: $first, after: $after) @connection(key: "Customers_customers") {
          edges { node { id ...Customers_row } }
        }
      }
    `,
    query,
  );
  return (
    <section>
      {data.customers.edges.map(({ node }) => (
        <Row key={node.id} customer={node} />
      ))}
      {hasNext && <button onClick={() => loadNext(10)}>More</button>}
    </section>
  );
}

function Row({ customer }) {
  const { name } = useFragment(graphql`fragment Customers_row on Customer { name }`, customer);
  return <p>{name}</p>;
}

/** One customer, and a button to read it again: Relay does so by `node(id:)`. */
export function Customer({ id }) {
  const query = useLazyLoadQuery(
    graphql`query CustomersOneQuery($id: ID!) { customer(by: { id: $id }) { ...Customers_one } }`,
    { id },
  );
  const [customer, refetch] = useRefetchableFragment(
    graphql`
      fragment Customers_one on Customer @refetchable(queryName: "CustomersOneAgainQuery") {
        id
        name
        lifecycle { stage }
        facts { keptOrders }
      }
    `,
    query.customer,
  );
  return (
    <section>
      <h1>{customer.name}</h1>
      <b>{customer.facts.keptOrders}</b>
      <button onClick={() => refetch({}, { fetchPolicy: "store-and-network" })}>Again</button>
    </section>
  );
}
