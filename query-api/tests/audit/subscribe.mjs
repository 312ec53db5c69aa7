// Reads three events, drops the connection, reads three more behind the last cursor.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, start] = process.argv.slice(2);
const query = 'subscription($after: String) { eventAppended(after: $after) { cursor event { id } } }';

async function read(after, count) {
  const client = createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0, connectionParams: { tenant: 'acme' } });
  const items = [];
  for await (const { data, errors } of client.iterate({ query, variables: { after } })) {
    if (errors) throw new Error(JSON.stringify(errors));
    items.push(data.eventAppended);
    if (items.length === count) break;
  }
  client.terminate();
  return items;
}

const first = await read(start, 3);
const second = await read(first.at(-1).cursor, 3);
console.log(JSON.stringify([...first, ...second].map((item) => item.event.id)));
process.exit(0);
