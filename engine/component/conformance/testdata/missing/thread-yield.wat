;; unsupported: threads that let others run
;; refused: async functions
(component (core func (canon thread.yield)))
