import { HITS_SERVER, type Case, type Kind } from './case.ts';
import { pick, seededRandom, shuffled } from './random.ts';
import type { Heard } from './listen.ts';
import type { Scenario } from './scenario.ts';
import type { Passing } from './wire/pieces.ts';

/** What is known about a scenario before any fault. */
export interface Score {
  readonly scenario: Pick<Scenario, 'id' | 'verb'>;
  readonly heard: Readonly<Record<Passing, Heard>>;
}

/** Share of each kind of fault; the rest are kills. */
const SHARES: Readonly<Record<Exclude<Kind, 'kill'>, number>> = {
  terminate: 0.03,
  cut: 0.03,
  'half-close': 0.01,
  stall: 0.01,
  crash: 0.02,
  headless: 0.01,
  'full-disk': 0.01,
  'full-folder': 0.02,
  pause: 0.01,
  'pause-backend': 0.01,
  'pause-server': 0.01,
};

/** Share of kills that strike at a random time instead of a point. */
const KILLS_AT_AN_INSTANT = 0.25;

/**
 * Chooses faults and their times, reproducibly by seed. Given enough cases, every kind strikes, every
 * scenario is struck, and kills cover every point before repeating one. Pure.
 */
export function schedule(scores: readonly Score[], iterations: number, seed: number): Case[] {
  if (scores.length === 0) return [];
  const random = seededRandom(seed);
  const others = Object.entries(SHARES).flatMap(([kind, share]) =>
    possibleFor(scores, kind as Kind).length === 0
      ? []
      : Array.from({ length: Math.max(1, Math.round(iterations * share)) }, () => kind as Kind),
  );
  const kills = Math.max(0, iterations - others.length);
  const atInstants = Math.min(kills, Math.max(scores.length, Math.round(kills * KILLS_AT_AN_INSTANT)));
  const everywhere = everyPoint(scores, random);
  const cases: Case[] = [
    ...Array.from({ length: kills - atInstants }, () => everywhere.next().value),
    ...inTurn(shuffled(scores, random), atInstants).map((score) => atInstant(score, 'kill', random)),
    ...others.map((kind) => {
      const score = pick(possibleFor(scores, kind), random);
      const isAtInstant = HITS_SERVER.has(kind) || random() < 0.5;
      return isAtInstant
        ? atInstant(score, kind, random)
        : atPoint(score, kind, pick(PASSINGS, random), undefined, random);
    }),
  ];
  return shuffled(cases, random).slice(0, iterations);
}

/** A kill at each point of each scenario, each time that it is passed. Pure. */
export function everyKill(scores: readonly Score[]): Case[] {
  return scores.flatMap(({ scenario, heard }) =>
    PASSINGS.flatMap((passing) =>
      [...heard[passing].points].flatMap(([point, times]) =>
        Array.from({ length: times }, (_, before) => ({
          scenario: scenario.id,
          kind: 'kill' as const,
          passing,
          instant: { point, nth: before + 1 },
        })),
      ),
    ),
  );
}

/** The scenarios in which a fault of this kind can strike. */
function possibleFor(scores: readonly Score[], kind: Kind): readonly Score[] {
  return kind === 'full-folder'
    ? scores.filter(({ scenario }) => scenario.verb?.writesFiles === true)
    : scores;
}

/** The first `count` items of an endless repetition. */
function inTurn<T>(items: readonly T[], count: number): T[] {
  return Array.from({ length: Math.ceil(count / items.length) }, () => items)
    .flat()
    .slice(0, count);
}

const PASSINGS: readonly Passing[] = ['statements', 'whole'];

function atInstant({ scenario, heard }: Score, kind: Kind, random: () => number): Case {
  // Without a proxy in between the server gets whole strings.
  const ms = Math.floor(random() * heard.whole.durationMs);
  return { scenario: scenario.id, kind, passing: 'whole', instant: { ms } };
}

/** @param point any of the scenario's if absent */
function atPoint(
  { scenario, heard }: Score,
  kind: Kind,
  passing: Passing,
  point: string | undefined,
  random: () => number,
): Case {
  const { points } = heard[passing];
  // A server that waits for rows cannot know that nobody will send them.
  const isPossible = (name: string) => kind !== 'half-close' || !/COPY FROM|rows/.test(name);
  const at = point ?? pick([...points.keys()].filter(isPossible).toSorted(), random);
  const nth = 1 + Math.floor(random() * (points.get(at) ?? 1));
  return { scenario: scenario.id, kind, passing, instant: { point: at, nth } };
}

/** Endless kills: each point once, in a scenario that has it, then again. */
function* everyPoint(scores: readonly Score[], random: () => number): Generator<Case, never> {
  const pointsOf = (passing: Passing) => [
    ...new Set(scores.flatMap(({ heard }) => [...heard[passing].points.keys()])),
  ];
  const all = PASSINGS.flatMap((passing) => pointsOf(passing).map((point) => ({ passing, point })));
  const rank = ({ passing, point }: (typeof all)[number]) =>
    (passing === 'statements' ? 0 : 2) + (point.startsWith('sent') ? 1 : 0);
  for (;;) {
    const order = shuffled(
      all.toSorted((a, b) => (a.point < b.point ? -1 : 1)),
      random,
    );
    for (const { passing, point } of order.toSorted((a, b) => rank(a) - rank(b))) {
      const having = scores.filter(({ heard }) => heard[passing].points.has(point));
      yield atPoint(pick(having, random), 'kill', passing, point, random);
    }
  }
}
