import { pick, useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { parse } from 'jsonc-parser';
import { useEffect, useRef } from 'react';

// A comment, not a value: a server opened to its own machine asks for no key, and would refuse a made-up one.
export const headers = `{
  // "Authorization": "Bearer gx_your_key"
}
`;

// A key that was given in one tab is there in all of them, and the docs are read with it. It is gone with the page.
export function Key() {
  const { activeTabIndex, fetchError, headerEditor, responseEditor } = useGraphiQL(
    pick('activeTabIndex', 'fetchError', 'headerEditor', 'responseEditor'),
  );
  const { introspect } = useGraphiQLActions();
  const key = useRef();

  useEffect(() => {
    const listening = headerEditor?.onDidBlurEditorText(() => {
      const given = authorization(headerEditor.getValue());
      if (!given || given === key.current) return;
      key.current = given;
      introspect();
    });
    return () => listening?.dispose();
  }, [headerEditor, introspect]);

  useEffect(() => {
    if (key.current && headerEditor?.getValue() === headers)
      headerEditor.setValue(`${JSON.stringify({ Authorization: key.current }, null, 2)}\n`);
  }, [activeTabIndex, headerEditor]);

  // The docs would say no more than that there are none.
  useEffect(() => {
    if (fetchError && !responseEditor?.getValue()) responseEditor?.setValue(fetchError);
  }, [fetchError, responseEditor]);

  return null;
}

const authorization = (text) =>
  Object.entries(parse(text) ?? {}).find(([name]) => name.toLowerCase() === 'authorization')?.[1];
