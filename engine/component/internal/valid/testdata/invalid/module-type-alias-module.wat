;; core type 0 is not of a function
(component (core type $m (module)) (core type (module (alias outer 1 $m (type)))))
