;; unsupported: back-pressure
;; refused: async functions
(component (core func (canon backpressure.inc)))
