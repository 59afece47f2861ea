/** Four services, one authority and a thief, each a process. `npm start` in this folder. */
import { strict as assert } from 'node:assert'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateJwtKey } from '@micro/plugin-auth-jwt'
import { type Asked, start } from './ask.ts'
import type { Place } from './fleet.ts'

const directory = await mkdtemp(join(tmpdir(), 'zero-trust-'))
const key = (await generateJwtKey()) as unknown as Record<string, unknown>
const { d: _private, ...publicKey } = key
const running: Asked[] = []

async function open(file: string, name: string | undefined, place: Partial<Place>): Promise<Asked> {
  const told = JSON.stringify({ directory, keys: [publicKey], ...place })
  const child = await start(file, ...(name === undefined ? [] : [name]), told)
  running.push(child)
  return child
}

function show(what: string, outcome: unknown, expected: RegExp): void {
  const text = typeof outcome === 'string' ? outcome : JSON.stringify(outcome)
  assert.match(text, expected, what)
  console.log(`${what}\n    ${text}`)
}

try {
  const authority = await open('authority.ts', undefined, {})
  const member = async (name: string, place: Partial<Place> = {}): Promise<Asked> => {
    const token = (await authority.ask('mint', name)) as string
    return open('member.ts', name, { token, ...place })
  }
  await member('users', { keys: [key] })
  const billing = await member('billing')
  await member('orders')
  const shop = await member('shop')

  const { token } = (await shop.ask('logIn', 'ada')) as { token: string }
  show(
    'The shop brings Ada’s order, and orders has it charged in its own name.',
    await shop.ask('place', { item: 'a book', token }),
    /"by":"ada","charged":"for orders"/,
  )
  show(
    'Without Ada’s token the shop may not: `orders:write` is a scope of people.',
    await shop.ask('place', { item: 'a book' }),
    /^refused: permission_denied/,
  )
  show('Refunds are for billing,', await billing.ask('refund', 'a book'), /"refunded":"a book"/)
  show('not for the shop.', await shop.ask('refund', 'a book'), /^refused: permission_denied/)
  show(
    'Nor may billing log people in.',
    await billing.ask('logIn', 'ada'),
    /^refused: permission_denied/,
  )

  const rogue = await open('rogue.ts', undefined, {})
  show(
    'A thief has stolen Ada’s token. Without a certificate nobody listens to it,',
    await rogue.ask('placeByToken', token),
    /^refused: unavailable/,
  )
  show(
    'nor with one that says "billing", of an authority of its own.',
    await rogue.ask('placeByCertificate', token),
    /^refused: unavailable/,
  )
  let outcome: unknown
  for (let order = 0; order < 20; order++) {
    outcome = await shop.ask('place', { item: 'a pen', token })
    assert.match(JSON.stringify(outcome), /"charged":"for orders"/)
  }
  show(
    'It has registered as "billing", a hundred times as heavy. Twenty orders later:',
    outcome,
    /"charged":"for orders"/,
  )
  show('Calls that the thief got:', await rogue.ask('charged'), /^0$/)

  await authority.ask('deny', 'shop')
  let last: unknown
  for (let look = 0; look < 100; look++) {
    last = await shop.ask('place', { item: 'a pen' })
    if (/unauthenticated/.test(String(last))) break
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  show(
    'The operator denies the shop: every service refuses it from then on.',
    last,
    /^refused: unauthenticated/,
  )
  console.log('\nAll as it should be.')
} finally {
  for (const { process: child } of running) child.disconnect()
  await rm(directory, { recursive: true, force: true })
}
