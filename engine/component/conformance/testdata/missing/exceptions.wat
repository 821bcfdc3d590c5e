;; unsupported: exceptions
;; refused: section 13 is not known
(component (core module $m (tag (param i32))))
