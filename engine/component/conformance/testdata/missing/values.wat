;; unsupported: values that are imported
;; refused: values and start functions
(component (import "v" (value string)))
