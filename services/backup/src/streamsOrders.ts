import { APPROVED_ORDERS, subjectMatches } from "../../../components/platform/subjects.ts";
import type { JetStreamApi, KeptStream } from "./streamsApi.ts";
import { CONSUMER_CONFIG } from "./streamsConfig.ts";

/** Most orders of one consumer that are told one by one. */
const MOST_TOLD = 500;

/** An approved order that a consumer has not confirmed. */
export interface WaitingOrder {
  /** Its number in the stream. */
  readonly seq: number;
  /** When it was approved, ISO 8601. */
  readonly at: string;
  /** Whether the executor has been given it: then it may be executed already. */
  readonly delivered: boolean;
  readonly text: string;
}

/** What waits at one consumer of approved orders. */
export interface Waiting {
  readonly consumer: string;
  /** Whether anything was ever delivered by it: a program that subscribes to the subject itself never reads by its consumer. */
  readonly isRead: boolean;
  readonly count: number;
  /** The first of them; none where the consumer is not read. */
  readonly orders: readonly WaitingOrder[];
}

/** The consumers by which executors are given approved orders. */
const orderConsumers = (table: readonly KeptStream[]) =>
  table.flatMap(({ name: stream, consumers }) =>
    consumers.filter(({ subject }) => subjectMatches(subject, APPROVED_ORDERS)).map((each) => ({ stream, ...each })),
  );

type OrderConsumer = ReturnType<typeof orderConsumers>[number];

async function waitingAt(api: JetStreamApi, { stream, name }: OrderConsumer): Promise<Waiting | undefined> {
  const found = await api.consumer(stream, name);
  if (found === undefined) return undefined;
  const { ack_floor: floor, delivered, num_pending: pending, num_ack_pending: unconfirmed } = found;
  const count = pending + unconfirmed;
  const isRead = delivered.consumer_seq > 0;
  const orders: WaitingOrder[] = [];
  if (isRead && count > 0)
    for (let seq = floor.stream_seq + 1; orders.length < MOST_TOLD; seq++) {
      const message = await api.message(stream, APPROVED_ORDERS, seq);
      if (message === undefined) break;
      seq = message.seq;
      orders.push({ seq, at: message.at, delivered: seq <= delivered.stream_seq, text: message.text });
    }
  return { consumer: name, isRead, count, orders };
}

const isWaiting = (found: Waiting | undefined): found is Waiting => found !== undefined && found.count > 0;

/** The approved orders that executors have not confirmed. */
export async function waitingOrders(api: JetStreamApi, table: readonly KeptStream[]): Promise<Waiting[]> {
  const found: (Waiting | undefined)[] = [];
  for (const each of orderConsumers(table)) found.push(await waitingAt(api, each));
  return found.filter(isWaiting);
}

/**
 * Sees to it that no executor is given an order that was approved before: each of their consumers begins behind the last one. The
 * orders stay in the stream. To be called while nobody can approve one, and no executor is connected.
 * @returns what waited
 */
export async function discardOrders(api: JetStreamApi, table: readonly KeptStream[]): Promise<Waiting[]> {
  const discarded = await waitingOrders(api, table);
  for (const { stream, name, subject } of orderConsumers(table)) {
    await api.deleteConsumer(stream, name);
    await api.setConsumer(stream, name, subject, { ...CONSUMER_CONFIG, deliver_policy: "new" }, "create");
  }
  return discarded;
}
