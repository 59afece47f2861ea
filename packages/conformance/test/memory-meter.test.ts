import { meterConformance } from '@micro/conformance/meter'
import { type MemoryMeter, memoryMeter } from '@micro/core/meter'

meterConformance({
  name: 'memory',
  create: () => memoryMeter(),
  read: (meter) => (meter as MemoryMeter).collect(),
})
