;; unsupported: types that are collected
;; refused: garbage collected types
(component (core type $t (struct (field i32))) (core module $m (type (struct (field i32)))))
