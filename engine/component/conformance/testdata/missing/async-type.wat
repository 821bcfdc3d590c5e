;; unsupported: types of functions that are asynchronous
;; refused: async functions
(component (import "f" (func async)))
