import { pick, useGraphiQL } from '@graphiql/react';
import { useEffect } from 'react';

// Beside the docs there is little room, and reasons are long sentences.
export function Wrap() {
  const editors = useGraphiQL(pick('queryEditor', 'responseEditor'));
  useEffect(() => {
    for (const editor of Object.values(editors)) editor?.updateOptions({ wordWrap: 'on' });
  }, Object.values(editors));
  return null;
}
