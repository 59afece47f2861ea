import { selectorConformance } from '@micro/conformance/selector'
import { consistentHashSelector } from '@micro/plugin-selector-consistent-hash'

selectorConformance({ name: 'consistent-hash', create: () => consistentHashSelector() })
