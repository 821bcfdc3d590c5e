;; an import refers to a resource that is not imported
(component $c (type $r (resource (rep i32))) (import "i" (instance (alias outer $c $r (type $q)) (export "t" (type (eq $q))))))
