/** `pnpm bench [in-process] [http] [tcp] [pick] [broker] [store] [access] [auth] [import]`: side by side with the peers, all unless named. */
import { cpus } from 'node:os'
import { benchAccess } from './access.ts'
import { benchAuth } from './auth.ts'
import { benchBroker } from './broker.ts'
import { benchHttp } from './http.ts'
import { benchImport } from './import.ts'
import { benchInProcess } from './in-process.ts'
import { benchPick } from './pick.ts'
import { benchStore } from './store.ts'
import { benchTcp } from './tcp.ts'

const all = {
  'in-process': benchInProcess,
  http: benchHttp,
  tcp: benchTcp,
  pick: benchPick,
  broker: benchBroker,
  store: benchStore,
  access: benchAccess,
  auth: benchAuth,
  import: benchImport,
}
const named = process.argv.slice(2)

console.log(
  `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}; medians, with the spread of the rounds\n`,
)
for (const [name, run] of Object.entries(all)) {
  if (named.length > 0 && !named.includes(name)) continue
  await run()
  console.log()
}
