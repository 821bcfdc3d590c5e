;; unsupported: sets of what is waited for
;; refused: async functions
(component (core func (canon waitable-set.new)))
