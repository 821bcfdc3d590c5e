;; an alias of a core module in a type
(component $c (core module $m) (type (component (alias outer $c $m (core module)))))
