/** What happened to a job, the latest first. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { EventView } from '../../model/api.js';
import { when } from '../data/clock.js';
import { eventWords, type Tone } from '../data/event-words.js';
import { Name } from './words.js';

const FIRST = 40;

/** The custom property of the style sheet that has a tone's colour. */
export function toneColour(tone: Tone): string {
  return { good: '--good', bad: '--bad', warn: '--near', plain: '--ink-faint' }[tone];
}

export function EventList({
  events,
  withBox,
}: {
  readonly events: readonly EventView[];
  readonly withBox: boolean;
}): JSX.Element {
  const [most, setMost] = useState(FIRST);
  const now = Date.now();
  return (
    <section class="section">
      <h2>Events</h2>
      <ol class="timeline card" reversed>
        {events.length === 0 && <li class="faint">None yet</li>}
        {events.slice(0, most).map((event) => {
          const { text, more, tone } = eventWords(event.event, event.body);
          return (
            <li key={`${event.box} ${event.sequence}`}>
              <time dateTime={new Date(event.at_ms).toISOString()}>{when(event.at_ms, now)}</time>
              <span class="dot" style={{ background: `var(${toneColour(tone)})` }} aria-hidden="true" />
              <span class="what">
                {text}
                {(more !== '' || withBox) && (
                  <small>
                    {more}
                    {more !== '' && withBox ? ' · ' : ''}
                    {withBox && (
                      <>
                        on <Name text={event.host} />
                      </>
                    )}
                  </small>
                )}
              </span>
            </li>
          );
        })}
        {events.length > most && (
          <li class="faint">
            <button type="button" class="link" onClick={() => setMost(most + 100)}>
              Older ones
            </button>
          </li>
        )}
      </ol>
    </section>
  );
}
