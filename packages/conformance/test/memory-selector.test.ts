import { selectorConformance } from '@micro/conformance/selector'
import { randomSelector, zoneSelector } from '@micro/core/selector'

selectorConformance({ name: 'random', create: () => randomSelector() })
selectorConformance({
  name: 'random within a zone',
  create: () => zoneSelector({ zone: 'a', selector: randomSelector() }),
})
