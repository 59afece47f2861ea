import { selectorConformance } from '@micro/conformance/selector'
import { p2cSelector } from '@micro/plugin-selector-p2c'

selectorConformance({ name: 'p2c', create: () => p2cSelector() })
