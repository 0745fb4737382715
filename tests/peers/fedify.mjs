// A server made with Fedify, as its manual says: one person on loopback, who does what standard input says.
//
// The first line out is {"origin", "actor", "acct"}. Then one JSON object a line in, one a line out, in that order:
//   {"do": "follow" | "unfollow" | "block" | "unblock", "who"}  the id of the Follow or Block
//   {"do": "post", "text", "mentions"} → "edit" {"id", "text"} → "delete" {"id"}     the id of the Note
//   {"do": "like" | "unlike" | "boost" | "unboost", "what"}     the id of the Like or Announce
//   {"do": "state"}   → {"followers", "following", "received"}: whom it holds, and each activity that it believed
//   {"do": "look", "at"}   → what the document there says, fetched with a signature
// An answer is {"id"}, the state, or {"error"}.

import { createServer } from "node:http";
import { createInterface } from "node:readline";

import { createFederation, generateCryptoKeyPair, MemoryKvStore } from "@fedify/fedify";
import {
  Accept,
  Activity,
  Announce,
  Block,
  Create,
  Delete,
  Endpoints,
  Follow,
  Like,
  Mention,
  Note,
  Person,
  PUBLIC_COLLECTION,
  Reject,
  Tombstone,
  Undo,
  Update,
} from "@fedify/fedify/vocab";
import { Temporal } from "@js-temporal/polyfill";

// Fedify is made for Node 22; this is what it misses on 20.
globalThis.navigator ??= { userAgent: "node" };

const me = "fay";
const followers = new Map();
const following = new Set();
const notes = new Map();
const sent = new Map();
const received = [];
let count = 0;

const keys = [await generateCryptoKeyPair("RSASSA-PKCS1-v1_5"), await generateCryptoKeyPair("Ed25519")];

const server = createServer((request, response) => void answer(request, response));
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const origin = `http://127.0.0.1:${server.address().port}`;

const federation = createFederation({ kv: new MemoryKvStore(), allowPrivateAddress: true, origin });

federation
  .setActorDispatcher("/users/{identifier}", async (context, identifier) => {
    if (identifier !== me) return null;
    const pairs = await context.getActorKeyPairs(identifier);
    return new Person({
      id: context.getActorUri(identifier),
      preferredUsername: identifier,
      name: "Fay of Fedify",
      inbox: context.getInboxUri(identifier),
      endpoints: new Endpoints({ sharedInbox: context.getInboxUri() }),
      followers: context.getFollowersUri(identifier),
      following: context.getFollowingUri(identifier),
      url: new URL(`/@${identifier}`, origin),
      publicKey: pairs[0].cryptographicKey,
      assertionMethods: pairs.map((pair) => pair.multikey),
    });
  })
  .setKeyPairsDispatcher((_, identifier) => (identifier === me ? keys : []));

federation.setFollowersDispatcher("/users/{identifier}/followers", () => ({ items: [...followers.values()] }));
federation.setFollowingDispatcher("/users/{identifier}/following", () => ({
  items: [...following].map((uri) => new URL(uri)),
}));
federation.setObjectDispatcher(Note, "/notes/{id}", (context, { id }) => notes.get(context.getObjectUri(Note, { id }).href) ?? null);

federation.setInboxListeners("/users/{identifier}/inbox", "/inbox").on(Activity, async (context, activity) => {
  received.push(await activity.toJsonLd({ contextLoader: context.contextLoader }));
  if (activity instanceof Follow) {
    const follower = await activity.getActor(context);
    followers.set(follower.id.href, follower);
    const id = new URL(`#accepts/${++count}`, context.getActorUri(me));
    const accept = new Accept({ id, actor: context.getActorUri(me), to: follower.id, object: activity });
    await context.sendActivity({ identifier: me }, follower, accept);
  } else if (activity instanceof Undo) {
    const undone = await activity.getObject(context);
    if (undone instanceof Follow) followers.delete(activity.actorId.href);
  } else if (activity instanceof Accept) {
    // By its id: what another server says of an object of ours is not to be believed.
    const asked = [...sent.values()].find(([one]) => one.id.href === activity.objectId.href)?.[0];
    if (asked instanceof Follow && asked.objectId.href === activity.actorId.href) following.add(asked.objectId.href);
  } else if (activity instanceof Reject) {
    following.delete(activity.actorId.href);
  }
}).onError((_, error) => console.error(error));

async function answer(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const withBody = !["GET", "HEAD"].includes(request.method);
  const asked = new Request(new URL(request.url, origin), {
    method: request.method,
    headers: Object.entries(request.headers),
    body: withBody ? Buffer.concat(chunks) : undefined,
  });
  const answered = await federation.fetch(asked, { contextData: undefined });
  response.writeHead(answered.status, Object.fromEntries(answered.headers));
  response.end(Buffer.from(await answered.arrayBuffer()));
}

const context = federation.createContext(new URL(origin), undefined);
const actor = context.getActorUri(me);
const followersUri = context.getFollowersUri(me);

function named(kind) {
  return new URL(`${origin}/activities/${kind}/${++count}`);
}

async function looked(uri) {
  const documentLoader = await context.getDocumentLoader({ identifier: me });
  const found = await context.lookupObject(uri, { documentLoader });
  if (found === null) throw new Error(`${uri} could not be looked up`);
  return found;
}

async function toFollowersAnd(activity, others = []) {
  if (others.length) await context.sendActivity({ identifier: me }, others, activity);
  if (followers.size) {
    const options = { preferSharedInbox: true };
    await context.sendActivity({ identifier: me }, [...followers.values()], activity, options);
  }
}

async function toAuthorOf(what, make) {
  const object = await looked(what);
  const author = await looked(object.attributionId.href);
  const activity = make(object, author);
  sent.set(`${activity.constructor.name} ${what}`, [activity, author]);
  return [activity, author];
}

async function undo(kind, what) {
  const [undone, recipient] = sent.get(`${kind} ${what}`);
  const all = { actor, tos: undone.toIds, ccs: undone.ccIds };
  const activity = new Undo({ id: named("undo"), object: undone, ...all });
  if (kind === "Announce") await toFollowersAnd(activity, [recipient]);
  else await context.sendActivity({ identifier: me }, recipient, activity);
  return { id: undone.id.href };
}

const all = { tos: [PUBLIC_COLLECTION], ccs: [followersUri] };

const deeds = {
  async follow({ who }) {
    const target = await looked(who);
    const activity = new Follow({ id: named("follow"), actor, object: target.id, to: target.id });
    sent.set(`Follow ${who}`, [activity, target]);
    await context.sendActivity({ identifier: me }, target, activity);
    return { id: activity.id.href };
  },
  async unfollow({ who }) {
    following.delete(who);
    return await undo("Follow", who);
  },
  async block({ who }) {
    const target = await looked(who);
    const activity = new Block({ id: named("block"), actor, object: target.id, to: target.id });
    sent.set(`Block ${who}`, [activity, target]);
    followers.delete(who);
    following.delete(who);
    await context.sendActivity({ identifier: me }, target, activity);
    return { id: activity.id.href };
  },
  unblock: ({ who }) => undo("Block", who),
  async post({ text, mentions = [], inReplyTo = null }) {
    const people = await Promise.all(mentions.map(looked));
    const id = context.getObjectUri(Note, { id: String(++count) });
    const tags = people.map((one) => new Mention({ href: one.id, name: `@${one.preferredUsername}@${one.id.host}` }));
    const ccs = [followersUri, ...people.map((one) => one.id)];
    const note = new Note({
      id,
      attribution: actor,
      content: `<p>${text}</p>`,
      published: Temporal.Now.instant(),
      url: id,
      tags,
      replyTarget: inReplyTo && new URL(inReplyTo),
      tos: [PUBLIC_COLLECTION],
      ccs,
    });
    notes.set(id.href, note);
    const activity = new Create({ id: named("create"), actor, object: note, tos: [PUBLIC_COLLECTION], ccs });
    await toFollowersAnd(activity, people);
    return { id: id.href };
  },
  async edit({ id, text }) {
    const note = notes.get(id).clone({ content: `<p>${text}</p>`, updated: Temporal.Now.instant() });
    notes.set(id, note);
    await toFollowersAnd(new Update({ id: named("update"), actor, object: note, ...all }));
    return { id };
  },
  async delete({ id }) {
    notes.delete(id);
    const object = new Tombstone({ id: new URL(id) });
    await toFollowersAnd(new Delete({ id: named("delete"), actor, object, ...all }));
    return { id };
  },
  async like({ what }) {
    const [activity, author] = await toAuthorOf(
      what,
      (object, { id }) => new Like({ id: named("like"), actor, object: object.id, to: id }),
    );
    await context.sendActivity({ identifier: me }, author, activity);
    return { id: activity.id.href };
  },
  unlike: ({ what }) => undo("Like", what),
  async boost({ what }) {
    const [activity, author] = await toAuthorOf(what, (object, { id }) => {
      const published = Temporal.Now.instant();
      const ccs = [id, followersUri];
      return new Announce({ id: named("announce"), actor, object: object.id, published, tos: all.tos, ccs });
    });
    await toFollowersAnd(activity, [author]);
    return { id: activity.id.href };
  },
  unboost: ({ what }) => undo("Announce", what),
  state: () => ({ followers: [...followers.keys()], following: [...following], received }),
  async look({ at }) {
    return await (await looked(at)).toJsonLd({ contextLoader: context.contextLoader });
  },
};

console.log(JSON.stringify({ origin, actor: actor.href, acct: `${me}@${new URL(origin).host}` }));
for await (const line of createInterface({ input: process.stdin })) {
  const { do: deed, ...rest } = JSON.parse(line);
  try {
    console.log(JSON.stringify(await deeds[deed](rest)));
  } catch (error) {
    console.error(error);
    console.log(JSON.stringify({ error: String(error) }));
  }
}
server.closeAllConnections();
server.close();
process.exit(0);
