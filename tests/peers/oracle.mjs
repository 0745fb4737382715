// What others wrote judges us: asked over standard input, one JSON object a line in, one a line out, in that order.
//
// {"ask": "misskey" | "peertube" | "fedify", "method", "url", "headers", "body", "actor"}
//     → {"accepted": true} or {"accepted": false, "why"}; body is base64 or null, actor the signer's document
// {"ask": "sign", "spec": "rfc9421" | "draft-cavage-http-signatures-12", "method", "url", "body", "keyId"}
//     → {"headers", "pem"}: the request as Fedify signs it, and the public half of the key that it made for it
// {"ask": "read", "document"}
//     → {"kind", "meant", "understood"}: what the document says with every term spelt out (an error where a term would
//     be lost), and what of it Fedify's own object holds
//
// Nothing here asks the network: the signer's document comes along, the contexts are those that Fedify ships.

import { createHash } from "node:crypto";
import { createInterface } from "node:readline";

import { generateCryptoKeyPair, signRequest, verifyRequestDetailed } from "@fedify/fedify/sig";
import { Object as AnyObject } from "@fedify/fedify/vocab";
import { exportSpki, getDocumentLoader, preloadedContexts } from "@fedify/vocab-runtime";
import jsonld from "@fedify/vocab-runtime/jsonld";
import {
  parseRequestSignature,
  verifyDigestHeader,
  verifyDraftSignature,
} from "@misskey-dev/node-http-message-signatures";
import peertubes from "@peertube/http-signature";

const PEERTUBE_SKEW_S = 1800;
const MISSKEY_DELAY_MS = 300_000;

const shipped = getDocumentLoader();
const accepted = { accepted: true };
const refused = (why) => ({ accepted: false, why: String(why) });

async function contextLoader(url) {
  if (!(url in preloadedContexts)) throw new Error(`${url} is a context that Fedify does not ship`);
  return await shipped(url);
}

function asNodeHasIt({ method, url, headers }) {
  const { pathname, search } = new URL(url);
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return { method, url: pathname + search, headers: lower, httpVersion: "1.1" };
}

// As Misskey's inbox uses it: packages/backend/src/server/ActivityPubServerService.ts.
async function misskey({ body, actor, ...rest }) {
  const request = asNodeHasIt(rest);
  const draft = ["(request-target)", "host", "date", ...(body === null ? [] : ["digest"])];
  const clockSkew = { now: new Date(), delay: MISSKEY_DELAY_MS };
  const parsed = parseRequestSignature(request, { requiredComponents: { draft }, clockSkew });
  if (body !== null && !(await verifyDigestHeader(request, body, true))) return refused("The digest does not fit.");
  if (parsed.value.params.keyId !== actor.publicKey.id) return refused("The key is another's.");
  const fits = await verifyDraftSignature(parsed.value, actor.publicKey.publicKeyPem);
  return fits ? accepted : refused("The signature does not fit.");
}

// As PeerTube's server does: server/core/helpers/peertube-crypto.ts.
function peertube({ body, actor, ...rest }) {
  const request = asNodeHasIt(rest);
  const headers = ["(request-target)", "host", ...(body === null ? [] : ["digest"])];
  const parsed = peertubes.parseRequest(request, { clockSkew: PEERTUBE_SKEW_S, headers });
  if (body !== null) {
    const made = `SHA-256=${createHash("sha256").update(body).digest("base64")}`;
    if (request.headers.digest !== made) return refused("The digest does not fit.");
  }
  if (parsed.keyId !== actor.publicKey.id) return refused("The key is another's.");
  return peertubes.verifySignature(parsed, actor.publicKey.publicKeyPem) ? accepted : refused("It does not fit.");
}

async function fedify({ method, url, headers, body, actor }) {
  const documentLoader = async (asked) => {
    if (asked.split("#")[0] !== actor.id) throw new Error(`${asked} is not the signer's`);
    return { document: actor, documentUrl: asked, contextUrl: null };
  };
  const request = new Request(url, { method, headers, body: body ?? undefined });
  const result = await verifyRequestDetailed(request, { documentLoader, contextLoader });
  return result.verified ? accepted : refused(JSON.stringify(result.reason));
}

async function sign({ spec, method, url, body, keyId }) {
  const { privateKey, publicKey } = await generateCryptoKeyPair("RSASSA-PKCS1-v1_5");
  const request = new Request(url, { method, headers: { "Content-Type": "application/activity+json" }, body });
  const signed = await signRequest(request, privateKey, new URL(keyId), { spec });
  return { headers: Object.fromEntries(signed.headers), pem: await exportSpki(publicKey) };
}

async function read({ document }) {
  const object = await AnyObject.fromJsonLd(document, { contextLoader, documentLoader: contextLoader });
  const meant = await jsonld.expand(document, { documentLoader: contextLoader, safe: true, keepFreeFloatingNodes: true });
  const understood = await object.toJsonLd({ format: "expand", contextLoader });
  return { kind: object.constructor.name, meant, understood };
}

const answers = { misskey, peertube, fedify, sign, read };

async function answer(line) {
  const { ask, body, ...rest } = JSON.parse(line);
  try {
    return await answers[ask]({ ...rest, body: body == null ? null : Buffer.from(body, "base64") });
  } catch (error) {
    return ask in { read, sign } ? { error: `${error} ${JSON.stringify(error.details ?? "")}` } : refused(error);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(line)));
}
