/** The shop's users. */
import { faker } from "@faker-js/faker/locale/en";
import { DAY, eventTimes, type History } from "./history.ts";
import { Random } from "./random.ts";

export interface User {
  readonly id: number;
  readonly email: string;
  readonly fullName: string;
  readonly country: string;
}

/** Where users live, as often as they do. */
const COUNTRIES = ["DE", "DE", "DE", "FR", "FR", "ES", "ES", "IT", "NL", "AT", "BE", "PT", "PL", "SE", "DK"];
/** Part of the users who were there before the history starts. */
const EARLY = 0.35;

/** Gives people by id: names from pools of a few hundred, because making each with faker would take seconds. */
export function peopleMaker(seed: number): (id: number, random: Random) => User {
  faker.seed(seed + 1);
  const first = Array.from({ length: 300 }, () => faker.person.firstName());
  const last = Array.from({ length: 400 }, () => faker.person.lastName());
  return (id, random) => {
    const fullName = `${random.pick(first)} ${random.pick(last)}`;
    // The id makes the address unique.
    const email = `${fullName.toLowerCase().replace(/[^a-z]+/g, ".")}.${id}@example.com`;
    return { id, email, fullName, country: random.pick(COUNTRIES) };
  };
}

/** When each user signed up, sorted; the user with id n is at n - 1. */
export function signUps(history: History, count: number, seed: number): Float64Array {
  const random = new Random(seed, 2);
  const early = Math.max(1, Math.round(count * EARLY));
  const times = Float64Array.from({ length: early }, () => history.start - 1 - random.between(0, 730 * DAY));
  return Float64Array.from([...times.sort(), ...eventTimes(history, count - early, random)]);
}
