/** Who looks at the page, and what they may do. */
import type { ComponentChildren, JSX } from 'preact';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { WhoAmI } from '../../model/api.js';
import { apiPath } from '../data/api.js';
import { useFetched } from './fetch.js';
import { Failure } from './words.js';

export const WHOAMI = apiPath(['whoami']);

export interface Session extends WhoAmI {
  readonly label: string;
  readonly title: string;
}

const Context = createContext<Session | null>(null);

/** Null until the collector has told. */
export function useSession(): Session | null {
  return useContext(Context);
}

/** Shows nothing but the reason to those who are not let in. */
export function SignedIn({ children }: { readonly children: ComponentChildren }): JSX.Element {
  const { data, failure, again } = useFetched<WhoAmI>(WHOAMI);
  if (failure?.status === 401) {
    return (
      <main>
        <Failure
          title="You are not signed in"
          text={`${failure.message} The collector prints an address with a token when it starts; open that address once.`}
        />
      </main>
    );
  }
  if (failure !== null && data === null) {
    return (
      <main>
        <Failure title="The collector cannot be reached" text={failure.message} again={again} />
      </main>
    );
  }
  return <Context.Provider value={data === null ? null : described(data)}>{children}</Context.Provider>;
}

function described(me: WhoAmI): Session {
  const name = me.user ?? 'anyone';
  const sees = me.operator ? 'sees all boxes' : 'sees the boxes of this user';
  const does = me.may_command ? 'may send commands' : 'may not send commands';
  return {
    ...me,
    label: me.operator ? `${name} (operator)` : name,
    title: `${name}: ${sees}, ${does}; collector ${me.version}`,
  };
}
