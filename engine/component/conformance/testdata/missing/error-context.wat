;; unsupported: contexts of errors
;; refused: error contexts
(component (type $t error-context))
