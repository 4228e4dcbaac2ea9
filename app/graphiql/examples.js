const texts = import.meta.glob('./examples/*.graphql', { query: '?raw', import: 'default', eager: true });

// As one gets to know the server: first who there is, then what it knows of them, then what it does.
const order = [
  'customers',
  'why',
  'stages',
  'purchase',
  'changes',
  'loyalty',
  'segments',
  'campaign',
  'attribution',
];

export const examples = order.map((name) => texts[`./examples/${name}.graphql`]);
