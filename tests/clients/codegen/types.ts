// Never run: what the compiler must find in the generated types, and what it must refuse.
import { ask, Best, Create } from "./recipe.ts";

const { customers } = await ask("", "", Best, { where: { facts: { keptOrders: { gte: 2 } } } });
for (const { name, birthday, createdAt, attributes, facts, lifecycle, loyaltyAccounts } of customers.nodes) {
  const texts: string[] = [name, createdAt, birthday ?? "", facts.net.amount, facts.net.currency];
  const points: number[] = loyaltyAccounts.nodes.map(({ balance }) => balance.available);
  const tea: unknown = attributes.favouriteTea;
  if (lifecycle.stage === "LOYAL") console.log(texts, points, tea);
  // @ts-expect-error an amount is a decimal string, never a number
  const amount: number = facts.net.amount;
  // @ts-expect-error there is no such stage
  if (lifecycle.stage === "FRIEND") console.log(amount);
}

// @ts-expect-error a customer has a name
await ask("", "", Create, { input: {} });
// @ts-expect-error a day is text
await ask("", "", Create, { input: { name: "Wang", birthday: new Date() } });
